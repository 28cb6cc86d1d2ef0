"""From records to what people look at: tables and plots."""
