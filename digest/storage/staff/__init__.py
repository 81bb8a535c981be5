"""Store the accounts of the staff, their sessions and tokens, and the trail of their actions."""
