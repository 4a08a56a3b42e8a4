"""Operations on mean-velocity fields: flow maps, guidance and time derivatives."""
