/** Where somebody buys: the configured page, with the plan that is meant where there is one. */
export function upgradeUrl(page: string, plan?: string | null): string {
  const url = new URL(page)
  if (plan) url.searchParams.set('plan', plan)
  return url.href
}
