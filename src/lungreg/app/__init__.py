"""The page of the results, in Streamlit: inside Snowflake, or here over a local backend.

Streamlit is not among lungreg's requirements: Snowflake has it, and here `pip install streamlit`
brings it. `page.py` is sent to Snowflake as it is: it imports nothing of lungreg.
"""
