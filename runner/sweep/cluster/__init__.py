"""What every cluster needs: packs cut for its workers, as parcels that travel and are trained.

`cut.py` cuts what the head has to train, `parcel.py` is what a worker is given and does with it.
How parcels get to workers and what comes of them back is each launcher's own.
"""
