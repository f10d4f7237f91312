//! Notes, checkpoints, tiles and receipts.
