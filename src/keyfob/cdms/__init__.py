"""THE CLINICAL DATA API: CDISC ODM in and out, behind keyfob.guard, of which it is a customer."""
