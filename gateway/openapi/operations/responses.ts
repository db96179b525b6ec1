import type { z } from 'zod'
import { listOf, pageParameters } from '../../../shared/contract.ts'
import type { OperationContract } from './contract.ts'

type Responses = OperationContract['responses']

export const ok = (description: string, schema: z.ZodType): Responses => ({ 200: { description, schema } })

export const done = (description: string): Responses => ({ 204: { description } })

/** A paginated list: its query and its response. */
export function list(
  item: z.ZodType,
  filters: z.ZodRawShape = {},
): Pick<OperationContract, 'query' | 'responses'> {
  return {
    query: { ...filters, ...pageParameters },
    responses: { 200: { description: 'One page.', schema: listOf(item), headers: ['Link'] } },
  }
}
