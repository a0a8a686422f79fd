/** The step's port over PostgreSQL: one transaction, the cell's row locked first. */
import type { StepStore, StepTransaction, LockedCell } from '../domain/store.ts';
import { tableWriters } from './audit-facts.ts';
import {
  appendAudit,
  cellRest,
  countCellTiers,
  dueUnits,
  leaveCell,
  lockCell,
  markExpired,
  putDeadLetters,
  putLetters,
  takeInbox,
  unendedUnits,
} from './cells.ts';
import { carryAnswers, chainSendsForMs, findToldBefore } from './chains.ts';
import type { Database, Sql } from './database.ts';
import { noteMisdirected } from './kinds.ts';
import { intakeOutages } from './liveness.ts';
import { findPossiblyTold, takeRetries, writePages } from './pages.ts';
import {
  findHouseholds,
  findReachable,
  loadSubordinates,
  loadUnits,
  readScope,
  saveUnits,
  type Scope,
} from './units.ts';

export function createStepStore(database: Database): StepStore {
  return {
    step: (cellId, work) =>
      database.transaction(async (sql) => {
        const cell = await lockCell(sql, cellId);
        return cell
          ? work(cell, transactionOf(sql, cell, await readScope(sql, cell.warning.warningId)))
          : null;
      }),
  };
}

function transactionOf(sql: Sql, cell: LockedCell, scope: Scope): StepTransaction {
  const { cellId, now } = cell;
  const { warningId, kind, revision, issuedAt } = cell.warning;
  return {
    takeInbox: (most) => takeInbox(sql, cellId, most),
    putLetters: (letters) => putLetters(sql, warningId, letters),
    loadUnits: (unitIds) =>
      loadUnits(sql, { warningId, cellId, rootUnitId: cell.rootUnitId, scope, unitIds }),
    saveUnits: (units) => saveUnits(sql, { warningId, cellId, units }),
    loadSubordinates: (unitIds) => loadSubordinates(sql, scope, unitIds),
    dueUnits: (most) => dueUnits(sql, cellId, now, most),
    intakeOutages: () => intakeOutages(sql, { kind, since: issuedAt, now }),
    unendedUnits: (most) => unendedUnits(sql, cellId, most),
    findReachable: (sends) => findReachable(sql, issuedAt, sends),
    findHouseholds: (unitIds, channels) => findHouseholds(sql, unitIds, channels),
    writePages: (pages) => writePages(sql, { cellId, warningId, revision }, pages),
    takeRetries: (which, most) => takeRetries(sql, cellId, which === 'all' ? null : now, most),
    findPossiblyTold: () => findPossiblyTold(sql, { cellId, warningId }),
    findToldBefore: (unitIds) => findToldBefore(sql, warningId, unitIds),
    chainSettled: async () => (await chainSendsForMs(sql, cellId)) === null,
    carryAnswers: (unitIds) =>
      carryAnswers(sql, warningId, unitIds === 'of the cell' ? { cellUnitId: cell.rootUnitId } : { unitIds }),
    answerWriters: () => tableWriters(sql, ['answers']),
    markExpired: () => markExpired(sql, warningId),
    noteMisdirected: (served) =>
      noteMisdirected(sql, { what: 'cell', subject: cellId, warningId, kind, served }),
    putDeadLetters: (dead) => putDeadLetters(sql, cellId, dead),
    appendAudit: (body) => appendAudit(sql, cellId, now, body),
    rest: (pagesMost) => cellRest(sql, cellId, pagesMost),
    countTiers: () => countCellTiers(sql, cellId),
    leave: (input) => leaveCell(sql, cellId, input),
  };
}
