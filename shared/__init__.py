"""What every Aftercare service needs and none owns: contracts, delivery, database, HTTP base. No rule of the domain lives here."""
