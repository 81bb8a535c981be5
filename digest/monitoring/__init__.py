"""Read what operators watch: feeds, schedules, sending, readers and bounces, as values with sentences."""
