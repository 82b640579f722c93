drop view queue.processes;
