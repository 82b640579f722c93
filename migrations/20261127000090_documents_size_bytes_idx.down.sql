drop index documents_size_bytes_idx;
