package engine

// When storage has failed, the memtables hold what was acknowledged, and nothing else: a
// group whose sync failed was not applied. They are flushed to new files once, so that a
// log which cannot be trusted any more is not needed for them. The log itself stays as it
// is. What it holds beyond the memtables was acknowledged to nobody; an opening may find it
// there, batch by batch and whole, since its numbers go on where the files end.

// salvage begins to flush what the memtables hold, or says what became of it. One that was
// under way when storage failed comes first, and is tried once more if it fails.
func (w *writer) salvage() {
	w.flush.last = !w.flush.busy
	w.startFlush()
	if !w.flush.busy {
		w.reportSalvage(w.flush.err)
	}
}

// onSalvaged goes on with what was active when the flush that ended began.
func (w *writer) onSalvaged(err error) {
	if err != nil && w.flush.last {
		w.reportSalvage(err)
		return
	}
	w.salvage()
}

// reportSalvage says whether what was acknowledged is safe, after the last flush.
func (w *writer) reportSalvage(err error) {
	durable := max(w.log.Durable(), w.ledger.flushedLSN())
	if durable >= w.applied {
		w.opts.Logger.Info("all that was acknowledged is safe on disk", "last_lsn", w.applied, "flushed_lsn", w.ledger.flushedLSN())
		return
	}
	w.opts.Logger.Error("records were acknowledged that may not survive a power cut; copy the database before you restart the machine",
		"first_lsn", durable+1, "last_lsn", w.applied, "error", err)
}
