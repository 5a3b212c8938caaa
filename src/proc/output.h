/* SPDX-License-Identifier: Apache-2.0 */
/* Standard output and error that hold nobody up. */
#ifndef DVT_PROC_OUTPUT_H
#define DVT_PROC_OUTPUT_H

/**
 * dvt_output_unblock() - writes fail (EAGAIN) where a reader takes nothing
 * @fd: STDOUT_FILENO or STDERR_FILENO
 *
 * For a pipe, terminal or socket; the same for children forked later. A
 * terminal or pipe is opened again, so that who else holds it does not notice;
 * a socket, and a pipe that may not be opened, are changed for all. A file
 * stays as it is.
 */
void dvt_output_unblock(int fd);

#endif
