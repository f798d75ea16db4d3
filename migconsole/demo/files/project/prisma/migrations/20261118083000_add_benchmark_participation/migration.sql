-- CreateTable
CREATE TABLE "benchmark_participation" (
    "client_id" INTEGER NOT NULL,
    "cohort" TEXT NOT NULL,
    "opted_in" BOOLEAN NOT NULL DEFAULT false,
    "joined_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "benchmark_participation_pkey" PRIMARY KEY ("client_id", "cohort")
);

-- CreateIndex
CREATE INDEX "benchmark_participation_cohort_idx" ON "benchmark_participation"("cohort") WHERE "opted_in";

-- AddForeignKey
ALTER TABLE "benchmark_participation" ADD CONSTRAINT "benchmark_participation_client_id_fkey" FOREIGN KEY ("client_id") REFERENCES "clients"("id") ON DELETE CASCADE ON UPDATE CASCADE;
