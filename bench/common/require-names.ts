/** Exits with a list of known names where a name is unknown. */
export function requireNames(option: string, names: readonly string[], known: object): void {
  const unknown = names.filter((name) => !Object.hasOwn(known, name))
  if (unknown.length === 0) return
  process.stderr.write(
    `--${option}: there is no ${unknown.join(', ')}; there are ${Object.keys(known).join(', ')}.\n`,
  )
  process.exit(2)
}
