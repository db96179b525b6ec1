import { registerHooks } from 'node:module'

const urlOf = (path: string) => new URL(`../../../${path}`, import.meta.url).href

/**
 * Gives importers another module in place of one of the product. The replacement itself imports the
 * original. The product has no switch for that.
 *
 * @param original path from the repository's root, like that of the replacement
 */
export function replaceModule(original: string, replacement: string): void {
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const isReplaced = resolved.url === urlOf(original) && context.parentURL !== urlOf(replacement)
      return isReplaced ? { ...resolved, url: urlOf(replacement) } : resolved
    },
  })
}
