"""Journals into the tables: what waits, batch by batch, and what is sound of one that is not."""
