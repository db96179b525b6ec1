/**
 * The vocabulary of a product: what its users may do by their role, and what they have by their
 * plan.
 */
export interface Catalogue {
  permissions: readonly Permission[]
  roles: readonly Role[]
  features: readonly Feature[]
  /**
   * From the cheapest up. The first is the plan of new accounts, and of those without a live
   * subscription.
   */
  plans: readonly Plan[]
}

export interface Permission {
  name: string
  description: string
}

export interface Role {
  name: string
  /** 0 to 100. */
  level: number
  description: string
  /** Whether new accounts have it. */
  isDefault: boolean
  /** By name. */
  permissions: string[]
}

export interface Feature {
  name: string
  description: string
}

export interface Plan {
  name: string
  title: string
  priceCentsPerMonth: number
  /** ISO 4217. */
  currency: string
  apiQuotaPerHour: number
  /** By name. */
  features: string[]
}

export const findByName = <Item extends { name: string }>(items: readonly Item[], name: string) =>
  items.find((item) => item.name === name)

/** The items with one in place of that of the same name. */
export const withReplaced = <Item extends { name: string }>(items: readonly Item[], next: Item): Item[] =>
  items.map((item) => (item.name === next.name ? next : item))

/** The items without that of the name. */
export const withoutName = <Item extends { name: string }>(items: readonly Item[], name: string): Item[] =>
  items.filter((item) => item.name !== name)
