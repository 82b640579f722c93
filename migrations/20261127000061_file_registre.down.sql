delete from queue.ended;
delete from queue.keys;
