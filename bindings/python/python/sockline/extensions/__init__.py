"""Extensions of the protocol: the engine speaks permessage-deflate."""
