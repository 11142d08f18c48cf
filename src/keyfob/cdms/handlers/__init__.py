"""What each route does. A handler takes a Call that was admitted and gives an Answer, or raises ApiProblem."""
