-- How the server writes its log, and what this role may ask of it: a question that is refused would be an error in it.
SELECT current_setting('logging_collector') AS collector,
       current_setting('log_destination') AS destination,
       current_setting('log_line_prefix') AS prefix,
       current_setting('log_timezone') AS zone,
       pg_catalog.has_function_privilege('pg_catalog.pg_current_logfile(text)', 'EXECUTE') AS may_name,
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_logdir()', 'EXECUTE') AS may_list,
       pg_catalog.has_function_privilege('pg_catalog.pg_stat_file(text, boolean)', 'EXECUTE')
           AND pg_catalog.has_function_privilege(
               'pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'EXECUTE') AS may_read
