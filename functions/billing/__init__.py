"""What people owe and why: bills, their ledger, prices."""
