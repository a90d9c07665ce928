"""Makes a LoRA of photos: their archive, what is to be learned, the learning itself, and its end as a job."""
