/** Roles from this level up administer the product; only a superadmin grants them. */
export const adminLevel = 90

/** The highest level: a role that may do everything. */
export const superadminLevel = 100
