/** A node of EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON), as far as we read it. */
interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  /** Of one loop. */
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: PlanNode[]
}

/** The plan of one statement, executed. */
export interface Execution {
  statement: string
  /** Without planning it. */
  milliseconds: number
  /** Whether it named a big table at all. */
  touchesBig: boolean
  indexes: Set<string>
  /** The big tables that it read from end to end. */
  scanned: Set<string>
  /** Rows of big tables that its scans looked at, those they then left out included. */
  rows: number
  /** Pages of 8 kB, found in memory or not. */
  buffers: number
}

const logged = /^duration: ([\d.]+) ms {2}plan:\n/

/**
 * @param isBig whether a table, partition or view has many rows
 * @returns undefined where the message is not one of auto_explain
 */
export function readExecution(message: string, isBig: (relation: string) => boolean): Execution | undefined {
  const head = logged.exec(message)
  if (!head) return undefined
  const { 'Query Text': statement, Plan: root } = JSON.parse(message.slice(head[0].length)) as {
    'Query Text': string
    Plan: PlanNode
  }
  const nodes = withChildren(root)
  const big = nodes.filter(({ 'Relation Name': relation }) => relation !== undefined && isBig(relation))
  const scans = big.filter(({ 'Node Type': type }) => type.endsWith('Scan'))
  return {
    statement,
    milliseconds: Number(head[1]),
    touchesBig: big.length > 0,
    indexes: named(nodes, 'Index Name'),
    scanned: named(
      scans.filter(({ 'Node Type': type }) => type === 'Seq Scan'),
      'Relation Name',
    ),
    rows: Math.round(scans.reduce((sum, node) => sum + rowsRead(node), 0)),
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
  }
}

const withChildren = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(withChildren)]

const named = (nodes: PlanNode[], key: 'Relation Name' | 'Index Name') =>
  new Set(nodes.map((node) => node[key]).filter((name) => name !== undefined))

const rowsRead = (node: PlanNode) =>
  (node['Actual Rows'] +
    (node['Rows Removed by Filter'] ?? 0) +
    (node['Rows Removed by Index Recheck'] ?? 0)) *
  node['Actual Loops']
