"""The course of one run or a thousand: plan, skip, train, take in, sum up.

`batch.py` is the main path: read it first.
May import: everything but the commands; and the warehouse.
"""
