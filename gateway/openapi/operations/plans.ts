import {
  adminPlanResponse,
  bookedSubscriptionResponse,
  changePlanBody,
  changeSubscriptionBody,
  featureItem,
  planFeaturesBody,
  plansResponse,
  subscriptionFilters,
  subscriptionItem,
  subscriptionResponse,
} from '../../../shared/contract.ts'
import type { Subject } from './contract.ts'
import { list, ok } from './responses.ts'

export const plans: Subject = {
  name: 'Plans',
  description: 'What can be booked, what is booked, and what it opens.',
  operations: {
    'GET /v1/plans': {
      id: 'listPlans',
      summary: 'The price list',
      responses: ok('The plans, from the cheapest up.', plansResponse),
    },
    'GET /v1/subscription': {
      id: 'readSubscription',
      summary: 'What have I booked, and what would more bring?',
      description:
        '`plan` is what counts now, `booked_plan` what was booked: they differ while a subscription is past due, canceled or lapsed.',
      responses: ok('The subscription, and the plans above it.', subscriptionResponse),
    },
  },
}

export const planAdministration: Subject = {
  name: 'Plans and subscriptions',
  description:
    'For people who run the product. A change reaches the tokens of all subscribers at once, as `claims_stale`.',
  operations: {
    'GET /admin/plans': {
      id: 'adminListPlans',
      summary: 'Plans, from the cheapest up',
      ...list(adminPlanResponse),
    },
    'PATCH /admin/plans/{name}': {
      id: 'changePlan',
      summary: 'Change title, price or quota of a plan',
      body: changePlanBody,
      responses: ok('The plan as it is now.', adminPlanResponse),
    },
    'PUT /admin/plans/{name}/features': {
      id: 'setPlanFeatures',
      summary: 'Say which features a plan has',
      body: planFeaturesBody,
      responses: ok('The plan as it is now.', adminPlanResponse),
    },
    'GET /admin/features': { id: 'listFeatures', summary: 'All features', ...list(featureItem) },
    'GET /admin/subscriptions': {
      id: 'listSubscriptions',
      summary: 'Subscriptions, the newest first',
      ...list(subscriptionItem, subscriptionFilters),
    },
    'PUT /admin/users/{id}/subscription': {
      id: 'bookSubscription',
      summary: 'Book a plan for an account',
      body: changeSubscriptionBody,
      description:
        'Nobody books for their own account, or for one at or above their own level: `escalation_refused`.',
      responses: ok('The subscription as it is now.', bookedSubscriptionResponse),
      problems: ['escalation_refused'],
    },
  },
}
