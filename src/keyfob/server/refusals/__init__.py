"""Why a request was refused: seen on the failure path, found out behind it, kept for a day, said in words."""
