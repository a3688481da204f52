/* Version: of the program. The build adds the output of git describe. */
#ifndef ATL_COMMON_VERSION_H
#define ATL_COMMON_VERSION_H

#define ATL_VERSION "0.1.0"
#ifndef ATL_GIT_DESCRIBE
#define ATL_GIT_DESCRIBE "no git"
#endif

#endif
