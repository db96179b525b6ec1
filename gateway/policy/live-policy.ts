import { Problem } from '../../shared/http/errors.ts'
import type { NamedLimits } from '../limits/limit-schema.ts'
import type { CompiledRow, Policy, PolicyRow } from './policy.ts'
import { compilePolicyWithFile, createReplaceablePolicy, type PolicyFile } from './policy-file.ts'
import { type KnownNames, requireKnownNames, requireKnownNamesInFile } from './policy-names.ts'
import { readTarget } from './request-target.ts'

interface LivePolicyOptions {
  rows: readonly PolicyRow[]
  /** Whether the rows are those of `routes.ts`, whose names a test compares with the origin's. */
  isBuiltIn: boolean
  /** Limits that the rows in code may name, beside those that are built in. */
  limits?: NamedLimits | undefined
  /** Rows that are added to those in code. */
  file: PolicyFile | undefined
  upstreams: readonly string[]
  plans: {
    /** The names that the origin has; undefined until it has reported them. */
    names(): KnownNames | undefined
    reread(): Promise<void>
  }
}

/**
 * The policy in force, which a policy file can change while the gateway runs.
 *
 * @throws PolicyFileError, PolicyRowError for a policy that cannot be used
 */
export function createLivePolicy({
  rows,
  isBuiltIn,
  limits = {},
  file,
  upstreams,
  plans,
}: LivePolicyOptions) {
  const compile = (next: PolicyFile | undefined) => compilePolicyWithFile(rows, next, upstreams, limits)
  const first = compile(file)
  const policy = createReplaceablePolicy(first.policy)

  return {
    policy: policy as Policy,

    /**
     * Compares rows that are not built in with the names that the origin has, where it has
     * reported them.
     *
     * @throws PolicyFileError, PolicyRowError where a row asks for an unknown permission or feature
     */
    requireKnownNames(): void {
      const names = plans.names()
      if (!names) return
      if (!isBuiltIn) requireKnownNames(rows, names)
      if (file) requireKnownNamesInFile(file.name, first.added, names)
    },

    /** @throws PolicyFileError where the file cannot be used; the policy before it stays */
    async usePolicyFile(next: PolicyFile): Promise<void> {
      const { policy: replacement, added } = compile(next)
      // A permission may have come since the last read.
      await plans.reread()
      const names = plans.names()
      if (names) requireKnownNamesInFile(next.name, added, names)
      policy.replace(replacement)
    },

    /** The row of a request; undefined where no row matches it. */
    findRow(method: string, target: string): CompiledRow | undefined {
      try {
        return policy.match(method, readTarget(target).path)
      } catch (error) {
        if (error instanceof Problem) return undefined
        throw error
      }
    },
  }
}
