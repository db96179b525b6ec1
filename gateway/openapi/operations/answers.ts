import type { z } from 'zod'
import { listOf, pageParameters } from '../../../shared/contract.ts'
import type { OperationContract } from './contract.ts'

type Answers = OperationContract['answers']

export const ok = (description: string, schema: z.ZodType): Answers => ({ 200: { description, schema } })

export const done = (description: string): Answers => ({ 204: { description } })

/** A paginated list: its query and its answer. */
export function list(
  item: z.ZodType,
  filters: z.ZodRawShape = {},
): Pick<OperationContract, 'query' | 'answers'> {
  return {
    query: { ...filters, ...pageParameters },
    answers: { 200: { description: 'One page.', schema: listOf(item), headers: ['Link'] } },
  }
}
