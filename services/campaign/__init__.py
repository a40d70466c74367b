"""The campaign service: conducts a campaign through its ten states."""
