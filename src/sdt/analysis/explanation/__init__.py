"""Why a model says what it says: of one conversation, and of the space in which it sees a whole split."""
