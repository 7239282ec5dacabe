"""`report.html`: one page that needs no other file and loads nothing."""
