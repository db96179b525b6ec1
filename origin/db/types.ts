import type postgres from 'postgres'

export type Sql = postgres.Sql<Record<string, never>>

export type Transaction = postgres.TransactionSql<Record<string, never>>

/** The pool or a transaction: both run queries. */
export type Queryable = Sql | Transaction
