/** The requests of operators: the state of every replica, and the latest imports. */

import type * as assessment from '../../generated/assessment';
import type * as catalog from '../../generated/catalog';
import type * as portal from '../../generated/portal';
import { answer, api, own } from '../api';

type P = portal.components['schemas'];

type SystemState = P['SystemState'];
export type ServiceState = P['ServiceState'];
export type ReplicaState = P['ReplicaState'];
export type ImportReport = assessment.components['schemas']['ImportReport'] | catalog.components['schemas']['CourseImportReport'];

const latest = { params: { query: { limit: 5 } } };

/** Return the state that every replica reports. */
export const readSystem = (): Promise<SystemState> => answer(own.GET('/v1/system'));

/** Return the latest imports of courses. */
export const readCourseImports = async (): Promise<ImportReport[]> => (await answer(api.GET('/v1/imports', latest))).imports;

/** Return the latest imports of officers and of results. */
export const readOfficerImports = async (): Promise<ImportReport[]> =>
  (await answer(api.GET('/v1/assessments/imports', latest))).imports;
