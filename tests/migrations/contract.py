"""The public contract written out once more as data, so that the migrations can be held against it.

A column is `name type`; `?` may be null, `= x` is its default. Types are PostgreSQL's own names.
"""

ENUMS = {
    "BaseModelType": ["FLUX", "FLUX_FAST", "FLUX_PORTRAIT"],
    "LoraType": ["STYLE", "PORTRAIT"],
    "LoraStatus": ["PENDING", "TRAINING", "COMPLETED", "FAILED"],
    "TrainStatus": ["PENDING", "PROCESSING", "COMPLETED", "FAILED"],
    "TransactionType": ["PURCHASE", "GENERATION", "TRAINING", "REFUND", "ADMIN_GRANT", "BONUS"],
    "TransactionStatus": ["PENDING", "COMPLETED", "FAILED", "REFUNDED"],
}

NOW = "= CURRENT_TIMESTAMP"
TIME = "timestamp(3) without time zone"

TABLES = {
    "User": [
        "id text",
        "telegramId text",
        "username text?",
        "stars integer = 0",
        "totalSpentStars integer = 0",
        "totalBoughtStars integer = 0",
        f"createdAt {TIME} {NOW}",
        f"updatedAt {TIME}",
    ],
    "BaseModel": [
        "id text",
        "name text = 'Flux'::text",
        "version text = 'v1.1'::text",
        'type "BaseModelType"',
        "isDefault boolean = false",
    ],
    "LoraModel": [
        "id text",
        "name text",
        "triggerWord text",
        "weightsUrl text?",
        "configUrl text?",
        "baseModelId text",
        'type "LoraType" = \'STYLE\'::"LoraType"',
        'status "LoraStatus" = \'PENDING\'::"LoraStatus"',
        "previewImageUrl text?",
        "isPublic boolean = false",
        "starsRequired integer = 2",
        "userId text",
        f"createdAt {TIME} {NOW}",
        f"updatedAt {TIME}",
    ],
    "Training": [
        "id text",
        "loraId text",
        "baseModelId text",
        "userId text",
        "imageUrls text[]",
        "instancePrompt text",
        "classPrompt text?",
        "steps integer = 100",
        "learningRate double precision = 0.0001",
        "starsSpent integer",
        'status "TrainStatus" = \'PENDING\'::"TrainStatus"',
        "error text?",
        f"startedAt {TIME} {NOW}",
        f"completedAt {TIME}?",
        "metadata jsonb?",
    ],
    "Generation": [
        "id text",
        "userId text",
        "baseModelId text",
        "loraId text?",
        "prompt text",
        "negativePrompt text?",
        "imageUrl text",
        "seed bigint?",
        "starsUsed integer",
        "metadata jsonb?",
        f"createdAt {TIME} {NOW}",
    ],
    "StarTransaction": [
        "id text",
        "userId text",
        "amount integer",
        'type "TransactionType"',
        "telegramPaymentChargeId text?",
        'status "TransactionStatus" = \'COMPLETED\'::"TransactionStatus"',
        "metadata jsonb?",
        f"createdAt {TIME} {NOW}",
    ],
}

PRIMARY_KEYS = {f"{table}_pkey": (table, "id") for table in TABLES}

UNIQUE_INDEXES = {
    "User_telegramId_key": ("User", "telegramId"),
    "LoraModel_weightsUrl_key": ("LoraModel", "weightsUrl"),
    "LoraModel_configUrl_key": ("LoraModel", "configUrl"),
    "Training_loraId_key": ("Training", "loraId"),
    "StarTransaction_telegramPaymentChargeId_key": ("StarTransaction", "telegramPaymentChargeId"),
}

RESTRICT, SET_NULL = "RESTRICT", "SET NULL"

FOREIGN_KEYS = {
    "LoraModel_baseModelId_fkey": ("LoraModel", "baseModelId", "BaseModel", RESTRICT),
    "LoraModel_userId_fkey": ("LoraModel", "userId", "User", RESTRICT),
    "Training_loraId_fkey": ("Training", "loraId", "LoraModel", RESTRICT),
    "Training_baseModelId_fkey": ("Training", "baseModelId", "BaseModel", RESTRICT),
    "Training_userId_fkey": ("Training", "userId", "User", RESTRICT),
    "Generation_userId_fkey": ("Generation", "userId", "User", RESTRICT),
    "Generation_baseModelId_fkey": ("Generation", "baseModelId", "BaseModel", RESTRICT),
    "Generation_loraId_fkey": ("Generation", "loraId", "LoraModel", SET_NULL),
    "StarTransaction_userId_fkey": ("StarTransaction", "userId", "User", RESTRICT),
}

NAMED_INDEXES = {
    "idx_user_telegram_id": '"User" USING btree ("telegramId")',
    "idx_lora_public": '"LoraModel" USING btree ("isPublic") WHERE ("isPublic" = true)',
    "idx_lora_user_id": '"LoraModel" USING btree ("userId")',
    "idx_generation_user_id": '"Generation" USING btree ("userId")',
    "idx_generation_created_at": '"Generation" USING btree ("createdAt")',
    "idx_transaction_user_id": '"StarTransaction" USING btree ("userId")',
    "idx_transaction_created_at": '"StarTransaction" USING btree ("createdAt")',
}
