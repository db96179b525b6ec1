import type postgres from 'postgres'

export type Sql = postgres.Sql<Record<string, never>>

export type Transaction = postgres.TransactionSql<Record<string, never>>

/** Where a query may run: on the pool, or inside a transaction. */
export type Queryable = Sql | Transaction
