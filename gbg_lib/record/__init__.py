"""The record of a release: all evidence that AWS keeps for a while, in one archive that stays.

`format` lines and names, `manifest` hashes and chain, `archive` reading (it trusts nothing), `verify`,
`store` a folder of records, `bucket` the same in S3, `gather` and `sources` what is asked of whom.
docs/records.md tells the format.
"""
