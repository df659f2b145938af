package postgres

// HideInstalled makes the search find nothing, as on a machine without Postgres.
func HideInstalled() { usualPlaces = nil }
