"""A release of which there is a record, run again on a fresh sandbox and compared with the record.

`likeness` what differs by nature, `steps` a record as steps, `comparison` two records step by step,
`plan` what to set up and what can't be, `sources` files and commits, `change` the one input of a what-if,
`timetable` and `visitors` who comes meanwhile, `rehearse` the doing, `outcome` and `report` what came of
it. docs/records.md tells it in plain words.
"""
