import {
  auditLogFilters,
  auditLogItem,
  changeRoleBody,
  disableBody,
  loginAttemptFilters,
  loginAttemptItem,
  permissionItem,
  rateLimitLogFilters,
  rateLimitLogItem,
  rolePermissionsBody,
  roleResponse,
  sessionItem,
  upkeepRunFilters,
  upkeepRunResponse,
  upkeepRunStartedResponse,
  userFilters,
  userItem,
  userResponse,
} from '../../../shared/contract.ts'
import type { Subject } from './contract.ts'
import { done, list, ok } from './responses.ts'

export const users: Subject = {
  name: 'Users',
  description:
    'For people who run the product. Nobody changes their own account, or one at or above their own level; nobody grants a role above ' +
    'it: `escalation_refused`.',
  operations: {
    'GET /admin/users': { id: 'listUsers', summary: 'Accounts by address', ...list(userItem, userFilters) },
    'GET /admin/users/{id}': {
      id: 'readUser',
      summary: 'One account',
      responses: ok('The account.', userResponse),
    },
    'PUT /admin/users/{id}/role': {
      id: 'changeRole',
      summary: 'Give an account another role',
      body: changeRoleBody,
      responses: done('It has the role.'),
      problems: ['escalation_refused'],
    },
    'POST /admin/users/{id}/lock': {
      id: 'lockUser',
      summary: 'Lock an account',
      description:
        'Its sessions end, and nobody logs in until it is unlocked. The reason goes into the audit log.',
      body: disableBody,
      responses: done('It is locked.'),
      problems: ['escalation_refused'],
    },
    'POST /admin/users/{id}/unlock': {
      id: 'unlockUser',
      summary: 'Unlock an account, and forget its failed logins',
      responses: done('It is open.'),
      problems: ['escalation_refused'],
    },
    'GET /admin/users/{id}/sessions': {
      id: 'listSessions',
      summary: 'Live sessions of an account, the newest first',
      ...list(sessionItem),
    },
    'DELETE /admin/users/{id}/sessions': {
      id: 'endSessions',
      summary: 'End all sessions of an account',
      responses: done('They have ended.'),
      problems: ['escalation_refused'],
    },
    'DELETE /admin/users/{id}/sessions/{session_id}': {
      id: 'endSession',
      summary: 'End one session of an account',
      responses: done('It has ended.'),
      problems: ['escalation_refused'],
    },
  },
}

export const roles: Subject = {
  name: 'Roles',
  description: 'Roles have levels from 0 to 100, and permissions.',
  operations: {
    'GET /admin/roles': { id: 'listRoles', summary: 'Roles, and what each may do', ...list(roleResponse) },
    'GET /admin/permissions': { id: 'listPermissions', summary: 'All permissions', ...list(permissionItem) },
    'PUT /admin/roles/{name}/permissions': {
      id: 'setRolePermissions',
      summary: 'Say what a role may do',
      body: rolePermissionsBody,
      responses: ok('The role as it is now.', roleResponse),
      problems: ['escalation_refused'],
    },
  },
}

export const audit: Subject = {
  name: 'Trail',
  description: 'What happened, who tried to log in, and which requests were refused: the newest first.',
  operations: {
    'GET /admin/audit-logs': {
      id: 'listAuditLogs',
      summary: 'The audit log',
      ...list(auditLogItem, auditLogFilters),
    },
    'GET /admin/login-attempts': {
      id: 'listLoginAttempts',
      summary: 'Logins that were tried',
      ...list(loginAttemptItem, loginAttemptFilters),
    },
    'GET /admin/rate-limit-logs': {
      id: 'listRateLimitLogs',
      summary: 'Requests that a limit refused',
      ...list(rateLimitLogItem, rateLimitLogFilters),
    },
  },
}

export const upkeep: Subject = {
  name: 'Upkeep',
  description: 'What keeps the database tidy.',
  operations: {
    'GET /admin/upkeep-runs': {
      id: 'listUpkeepRuns',
      summary: 'What ran, the newest first',
      ...list(upkeepRunResponse, upkeepRunFilters),
    },
    'POST /admin/upkeep/{job}/runs': {
      id: 'startUpkeep',
      summary: 'Run a job now',
      responses: { 202: { description: 'It runs.', schema: upkeepRunStartedResponse } },
      problems: ['upkeep_running'],
    },
  },
}
