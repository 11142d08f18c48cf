"""The operator's half: an OAuth 2.0 authorization server for the client credentials grant, and its administration."""
