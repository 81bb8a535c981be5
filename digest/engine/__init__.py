"""Jobs for many machines, by Procrastinate. Its tables are in our database, so a job commits with its cause.

An engine that is deaf, or that loses or repeats a job, costs time and nothing else: every verb reads in the
ledger what there is to do, and digest.scheduler.reconcile finds what has no job.

jobs         store jobs, and remove those that no worker will end
connector    the engine's connections, which wait for a database that is away
worker       fetch jobs and run each in a line of its own
decisions    when a failed job is tried again, and that a worker is deaf         (pure)
schema       the engine's tables, of the version that this program knows
supervisor   start the worker's process again when it has ended
"""
