"""Lost paintings: a photograph is not lightness, and every colour has a source."""
