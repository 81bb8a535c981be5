"""Operations about the sources of a publication: find feeds, add them, exchange lists of feeds."""
