-- The public contract: six tables, six enums, seven named indexes (docs/data.md). Other programs rely on every name here.

CREATE TYPE "BaseModelType" AS ENUM ('FLUX', 'FLUX_FAST', 'FLUX_PORTRAIT');
CREATE TYPE "LoraType" AS ENUM ('STYLE', 'PORTRAIT');
CREATE TYPE "LoraStatus" AS ENUM ('PENDING', 'TRAINING', 'COMPLETED', 'FAILED');
CREATE TYPE "TrainStatus" AS ENUM ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED');
CREATE TYPE "TransactionType" AS ENUM ('PURCHASE', 'GENERATION', 'TRAINING', 'REFUND', 'ADMIN_GRANT', 'BONUS');
CREATE TYPE "TransactionStatus" AS ENUM ('PENDING', 'COMPLETED', 'FAILED', 'REFUNDED');

CREATE TABLE "User" (
    "id" text NOT NULL,
    "telegramId" text NOT NULL,
    "username" text,
    "stars" integer NOT NULL DEFAULT 0,
    "totalSpentStars" integer NOT NULL DEFAULT 0,
    "totalBoughtStars" integer NOT NULL DEFAULT 0,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "User_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "User_telegramId_key" ON "User" ("telegramId");
CREATE INDEX "idx_user_telegram_id" ON "User" ("telegramId");

CREATE TABLE "BaseModel" (
    "id" text NOT NULL,
    "name" text NOT NULL DEFAULT 'Flux',
    "version" text NOT NULL DEFAULT 'v1.1',
    "type" "BaseModelType" NOT NULL,
    "isDefault" boolean NOT NULL DEFAULT false,
    CONSTRAINT "BaseModel_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "LoraModel" (
    "id" text NOT NULL,
    "name" text NOT NULL,
    "triggerWord" text NOT NULL,
    "weightsUrl" text,
    "configUrl" text,
    "baseModelId" text NOT NULL,
    "type" "LoraType" NOT NULL DEFAULT 'STYLE',
    "status" "LoraStatus" NOT NULL DEFAULT 'PENDING',
    "previewImageUrl" text,
    "isPublic" boolean NOT NULL DEFAULT false,
    "starsRequired" integer NOT NULL DEFAULT 2,
    "userId" text NOT NULL,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamp(3) NOT NULL,
    CONSTRAINT "LoraModel_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "LoraModel_baseModelId_fkey" FOREIGN KEY ("baseModelId") REFERENCES "BaseModel" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "LoraModel_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "LoraModel_weightsUrl_key" ON "LoraModel" ("weightsUrl");
CREATE UNIQUE INDEX "LoraModel_configUrl_key" ON "LoraModel" ("configUrl");
CREATE INDEX "idx_lora_public" ON "LoraModel" ("isPublic") WHERE "isPublic" = true;
CREATE INDEX "idx_lora_user_id" ON "LoraModel" ("userId");

CREATE TABLE "Training" (
    "id" text NOT NULL,
    "loraId" text NOT NULL,
    "baseModelId" text NOT NULL,
    "userId" text NOT NULL,
    "imageUrls" text[] NOT NULL,
    "instancePrompt" text NOT NULL,
    "classPrompt" text,
    "steps" integer NOT NULL DEFAULT 100,
    "learningRate" double precision NOT NULL DEFAULT 0.0001,
    "starsSpent" integer NOT NULL,
    "status" "TrainStatus" NOT NULL DEFAULT 'PENDING',
    "error" text,
    "startedAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completedAt" timestamp(3),
    "metadata" jsonb,
    CONSTRAINT "Training_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Training_loraId_fkey" FOREIGN KEY ("loraId") REFERENCES "LoraModel" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Training_baseModelId_fkey" FOREIGN KEY ("baseModelId") REFERENCES "BaseModel" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Training_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "Training_loraId_key" ON "Training" ("loraId");

CREATE TABLE "Generation" (
    "id" text NOT NULL,
    "userId" text NOT NULL,
    "baseModelId" text NOT NULL,
    "loraId" text,
    "prompt" text NOT NULL,
    "negativePrompt" text,
    "imageUrl" text NOT NULL,
    "seed" bigint,
    "starsUsed" integer NOT NULL,
    "metadata" jsonb,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "Generation_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "Generation_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Generation_baseModelId_fkey" FOREIGN KEY ("baseModelId") REFERENCES "BaseModel" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "Generation_loraId_fkey" FOREIGN KEY ("loraId") REFERENCES "LoraModel" ("id")
        ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE INDEX "idx_generation_user_id" ON "Generation" ("userId");
CREATE INDEX "idx_generation_created_at" ON "Generation" ("createdAt");
CREATE INDEX "Generation_gallery_idx" ON "Generation" ("userId", "createdAt" DESC, "id");

CREATE TABLE "StarTransaction" (
    "id" text NOT NULL,
    "userId" text NOT NULL,
    "amount" integer NOT NULL,
    "type" "TransactionType" NOT NULL,
    "telegramPaymentChargeId" text,
    "status" "TransactionStatus" NOT NULL DEFAULT 'COMPLETED',
    "metadata" jsonb,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT "StarTransaction_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "StarTransaction_userId_fkey" FOREIGN KEY ("userId") REFERENCES "User" ("id")
        ON DELETE RESTRICT ON UPDATE CASCADE
);
CREATE UNIQUE INDEX "StarTransaction_telegramPaymentChargeId_key"
    ON "StarTransaction" ("telegramPaymentChargeId");
CREATE INDEX "idx_transaction_user_id" ON "StarTransaction" ("userId");
CREATE INDEX "idx_transaction_created_at" ON "StarTransaction" ("createdAt");
CREATE UNIQUE INDEX "StarTransaction_key_idx" ON "StarTransaction" ((metadata ->> 'key'))
    WHERE metadata ->> 'key' IS NOT NULL;
CREATE INDEX "StarTransaction_refundOf_idx" ON "StarTransaction" ((metadata ->> 'refundOf'))
    WHERE metadata ->> 'refundOf' IS NOT NULL;
CREATE INDEX "StarTransaction_history_idx" ON "StarTransaction" ("userId", "createdAt" DESC, "id" DESC);
