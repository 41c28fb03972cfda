//! Raw clients and recording servers, the peers' programs, differential comparison
