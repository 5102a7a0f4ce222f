"""Partner Integrations: the accounts of MCAS and ZIA, whether logs arrive, and the way back.

`index` puts the pages together. `account` is the page of one account, whoever it is with; `mcas`
and `zia` know what those need. `drafts` keeps what somebody has entered and not stored, `jobs` runs
what takes a while, `sync` is the sync of unsanctioned apps.
"""
