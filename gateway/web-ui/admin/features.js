import { namePattern } from './catalogue-parts.js'
import { showDescribedItem, showDescribedItems } from './described-items.js'

/** @import { Page } from './admin.js' */
/** @import { DescribedItems } from './described-items.js' */

/** @type {DescribedItems} */
const features = {
  list: 'GET /admin/features',
  section: 'features',
  title: 'Features',
  kind: 'feature',
  pattern: namePattern,
  example: 'priority_support',
  note: 'No plan has a new feature yet; add it on the page of a plan.',
  create: (api, body) => api('POST /admin/features', { body }),
  change: (api, { name, description }) =>
    api('PATCH /admin/features/{name}', { params: { name }, body: { description } }),
  remove: (api, name) => api('DELETE /admin/features/{name}', { params: { name } }),
}

/** @param {Page} page */
export const showFeatures = (page) =>
  page.subject ? showDescribedItem(features, page) : showDescribedItems(features, page)
