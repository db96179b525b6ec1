/** URL of the upgrade page, with the plan if it is known. */
export function upgradeUrl(page: string, plan?: string | null): string {
  const url = new URL(page)
  if (plan) url.searchParams.set('plan', plan)
  return url.href
}
