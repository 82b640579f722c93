drop index documents_date_upload_idx;
